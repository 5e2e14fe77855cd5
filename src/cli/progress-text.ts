/** Values shown beside the bar, such as the loss. */
export type ProgressFields = Readonly<Record<string, number | string>>;

/** What is known of the speed: steps per second and seconds left, or, at the end, the seconds that it all took. */
export interface Pace {
  readonly rate?: number;
  readonly left?: number;
  readonly seconds?: number;
}

export interface ProgressState {
  readonly label: string;
  readonly done: number;
  readonly total: number;
  readonly pace: Pace;
  readonly fields: ProgressFields;
  /** The columns there are for a bar and all else; without one, for a plain line, there is no bar. */
  readonly width?: number | undefined;
}

/** `training ███░░░ 50 %  20/40  12/s  2 s left  loss 0.125`, cut to the width. */
export function progressText({ label, done, total, pace, fields, width }: ProgressState): string {
  const share = total > 0 ? Math.min(1, Math.max(0, done / total)) : 1;
  const { rate, left, seconds } = pace;
  const parts = [
    `${Math.floor(100 * share)} %`,
    `${done}/${total}`,
    ...(rate === undefined ? [] : [`${significant(rate, 3)}/s`]),
    ...(left === undefined ? [] : [`${duration(left)} left`]),
    ...(seconds === undefined ? [] : [`in ${duration(seconds)}`]),
    ...Object.entries(fields).map(([name, value]) => {
      return `${name} ${typeof value === "number" ? significant(value, 4) : value}`;
    }),
  ];
  const text = parts.join("  ");
  if (width === undefined) return `${label}  ${text}`;
  const room = Math.min(30, width - label.length - text.length - 2);
  if (room < 5) return `${label} ${text}`.slice(0, width);
  const filled = Math.floor(share * room);
  return `${label} ${"█".repeat(filled)}${"░".repeat(room - filled)} ${text}`;
}

/** In few digits, but whole numbers up to a million as they are. */
function significant(value: number, digits: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  if (Math.abs(value) >= 10 ** (digits - 1) && Math.abs(value) < 1e6) return String(Math.round(value));
  return value.toPrecision(digits);
}

/** 0.4 s, 12 s, 3 min 20 s, 2 h 5 min, 3 d 4 h. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1_440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const hours = Math.round(seconds / 3_600);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
