import { RevortError } from "../core/errors.js";

/** A file as an archive holds it. */
export interface ArchiveEntry {
  /** path with `/` between its parts */
  readonly name: string;
  readonly executable: boolean;
  readonly content: () => Promise<Uint8Array> | Uint8Array;
}

/** A file that the archive's format has no room for. */
export class ArchiveError extends RevortError {}

const block = 512;
/** Every file is from 26 October 1985, as in npm's packages, so that equal files make equal archives. */
const mtime = 499_162_500;

/** The bytes of an archive in the ustar format of POSIX: for each file a header, and its content filled up to blocks. */
export async function* tar(entries: Iterable<ArchiveEntry>): AsyncGenerator<Uint8Array> {
  for (const entry of entries) {
    const content = await entry.content();
    yield header(entry, content.length);
    yield content;
    yield new Uint8Array(-content.length & (block - 1));
  }
  yield new Uint8Array(2 * block);
}

/** A header: text and octal numbers at fixed places. */
function header({ name, executable }: ArchiveEntry, size: number): Uint8Array {
  const bytes = new Uint8Array(block);
  const put = (at: number, text: string) => bytes.set(new TextEncoder().encode(text), at);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, "0")}\0`;
  const [prefix, rest] = split(name);
  put(0, rest);
  put(100, octal(executable ? 0o755 : 0o644, 7));
  // user and group: whoever unpacks it
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  if (size >= 8 ** 11)
    throw new ArchiveError(`${name} is larger than the 8 GiB that an archive has room for.`);
  put(124, octal(size, 11));
  put(136, octal(mtime, 11));
  // the sum is that of the header with spaces in its own place
  put(148, " ".repeat(8));
  put(156, "0");
  put(257, "ustar\x0000");
  put(345, prefix);
  put(
    148,
    `${octal(
      bytes.reduce((sum, byte) => sum + byte),
      6,
    )} `,
  );
  return bytes;
}

/** A path in two parts, of 155 and 100 bytes at most, cut at a `/`. @throws {ArchiveError} for one that is too long */
function split(name: string): readonly [string, string] {
  const length = (text: string) => new TextEncoder().encode(text).length;
  if (length(name) <= 100) return ["", name];
  for (let at = name.indexOf("/"); at > 0; at = name.indexOf("/", at + 1)) {
    const [prefix, rest] = [name.slice(0, at), name.slice(at + 1)];
    if (length(prefix) <= 155 && length(rest) <= 100 && rest !== "") return [prefix, rest];
  }
  throw new ArchiveError(
    `The path ${JSON.stringify(name)} is too long for an archive. Shorten the names in it.`,
  );
}
