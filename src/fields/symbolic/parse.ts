import { nearName } from "../../core/near-name.js";
import {
  argumentsOf,
  type Expression,
  type FunctionName,
  functions,
  type Network,
  type Operator,
} from "./expression.js";
import { EquationError } from "./syntax-error.js";
import { type Token, tokensOf } from "./tokens.js";

/** Equations, as they were read. */
export interface Equations {
  readonly text: string;
  /** right-hand sides by their states, in the order in which they were written */
  readonly equations: ReadonlyMap<string, Expression>;
  /** places of the names that are neither states nor known, each where it first occurs */
  readonly parameters: ReadonlyMap<string, number>;
  readonly networks: readonly Network[];
  /** what is added to all equations at once, by `+ mlp:16` alone */
  readonly remainder: Network | null;
}

/** Constants by their names. */
const constants: Readonly<Record<string, number>> = { pi: Math.PI, π: Math.PI };

/** What time is called. */
export const timeName = "t";

const functionNames = Object.keys(functions) as FunctionName[];
const isFunction = (name: string): name is FunctionName => Object.hasOwn(functions, name);

/** Brackets within brackets. */
const deepest = 100;

/**
 * Reads equations: `dx = a*x - b*x*y; dy = -c*y + d*x*y`. The left side is `dx`, `dx/dt` or `x'`; `;` or a line end
 * separates equations. From the loosest to the tightest bind: + and −, * and /, a sign, ^ (to the right). Names that are no states are
 * parameters; `t` is time, `pi` a constant; `mlp:16` a neural network of the states, as a term or, alone as
 * `+ mlp:16`, for all equations.
 *
 * @throws {EquationError} with the place of what cannot be read
 */
export function parseEquations(text: string): Equations {
  const tokens = tokensOf(text);
  const left = tokens.flatMap((_, i) =>
    i === 0 || tokens[i - 1]!.kind === "end of an equation" ? [stateAt(tokens, i)] : [],
  );
  return new Parser(text, tokens, new Set(left.filter((name) => name !== null))).equations();
}

/** The state whose derivative begins at a token, and how many tokens that takes. */
function leftSide(tokens: readonly Token[], i: number): { state: string; length: number } | null {
  const words = tokens.slice(i, i + 4).map(({ text }) => text);
  const [name, second, third, fourth] = words;
  if (tokens[i]?.kind !== "name" && tokens[i]?.kind !== "network") return null;
  if (second === "'" && third === "=") return { state: name!, length: 3 };
  const state = name!.slice(1);
  if (!name!.startsWith("d") || !/^\p{L}/u.test(state)) return null;
  if (second === "=") return { state, length: 2 };
  return second === "/" && third === "dt" && fourth === "=" ? { state, length: 4 } : null;
}

function stateAt(tokens: readonly Token[], i: number): string | null {
  return leftSide(tokens, i)?.state ?? null;
}

/** Where a parser has come to: a state that is owned. */
class Parser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  readonly #states: ReadonlySet<string>;
  readonly #parameters = new Map<string, number>();
  readonly #networks: Network[] = [];
  #next = 0;
  #depth = 0;
  /** the equation that is read */
  #state = "";

  constructor(text: string, tokens: readonly Token[], states: ReadonlySet<string>) {
    this.#text = text;
    this.#tokens = tokens;
    this.#states = states;
  }

  equations(): Equations {
    const equations = new Map<string, Expression>();
    let remainder: Network | null = null;
    while (this.#peek.kind !== "end") {
      if (this.#peek.kind === "end of an equation") this.#next++;
      else if (this.#peek.text === "+" && this.#tokens[this.#next + 1]!.kind === "network") {
        const { at } = this.#take();
        if (remainder !== null)
          this.#fail(at, "there is one remainder for all equations already; leave this one out.");
        remainder = { name: "mlp", hidden: this.#widths(this.#take()), of: null };
        this.#expectEnd();
      } else {
        const { at, state, length } = this.#left();
        if (equations.has(state)) this.#fail(at, `there is an equation of d${state} already; leave one out.`);
        this.#next += length;
        this.#state = state;
        equations.set(state, this.#sum());
        this.#expectEnd();
      }
    }
    if (equations.size === 0) this.#fail(0, "there is no equation. Write one for each state: dx = -k*x.");
    return { text: this.#text, equations, parameters: this.#parameters, networks: this.#networks, remainder };
  }

  #left(): { at: number; state: string; length: number } {
    const { at, text } = this.#peek;
    const found = leftSide(this.#tokens, this.#next);
    if (found === null) {
      this.#fail(
        at,
        "an equation begins with its left side: dx = …, dx/dt = … or x' = …, for a state x.",
        text.length,
      );
    }
    const { state } = found;
    if (state === timeName) this.#fail(at, "t is time; call the state otherwise.", text.length);
    if (state === "mlp" || isFunction(state) || Object.hasOwn(constants, state)) {
      this.#fail(at, `${state} has a meaning of its own; call the state otherwise.`, text.length);
    }
    return { at, ...found };
  }

  /** product ± product ± … */
  #sum(): Expression {
    return this.#chain(["+", "-"], () => this.#product());
  }

  /** signed * signed / … */
  #product(): Expression {
    return this.#chain(["*", "/"], () => this.#signed());
  }

  #chain(among: readonly Operator[], part: () => Expression): Expression {
    let left = part();
    for (;;) {
      const operator = among.find((symbol) => symbol === this.#peek.text);
      if (operator === undefined) return left;
      this.#next++;
      left = { kind: "binary", operator, left, right: part() };
    }
  }

  /** −x² is −(x²) */
  #signed(): Expression {
    const { text, kind } = this.#peek;
    if (kind === "symbol" && (text === "-" || text === "+")) {
      this.#next++;
      const of = this.#deeper(() => this.#signed());
      return text === "+"
        ? of
        : of.kind === "number"
          ? { kind: "number", value: -of.value }
          : { kind: "negative", of };
    }
    return this.#power();
  }

  /** x^y^z is x^(y^z), and x^-2 has a sign */
  #power(): Expression {
    const left = this.#primary();
    if (this.#peek.text !== "^") return left;
    this.#next++;
    const right = this.#deeper(() => this.#signed());
    return { kind: "binary", operator: "^", left, right };
  }

  #primary(): Expression {
    const token = this.#take();
    const { kind, text, at } = token;
    if (kind === "number") {
      const value = Number(text);
      if (!Number.isFinite(value))
        this.#fail(at, "this number is beyond all numbers of float64.", text.length);
      return this.#noProduct({ kind: "number", value });
    }
    if (kind === "network") {
      const own = `mlp_${this.#state}`;
      const count = this.#networks.filter(({ of }) => of === this.#state).length;
      const name = count === 0 ? own : `${own}_${count + 1}`;
      const network = { name, hidden: this.#widths(token), of: this.#state };
      this.#networks.push(network);
      return { kind: "network", network };
    }
    if (kind === "name")
      return this.#peek.text === "(" ? this.#call(token) : this.#noProduct(this.#named(token));
    if (text === "(") {
      const inner = this.#deeper(() => this.#sum());
      this.#close(at);
      return this.#noProduct(inner);
    }
    const end = kind === "end" || kind === "end of an equation";
    return this.#fail(
      at,
      end
        ? "the equation ends where a number or a name should follow."
        : `${text} cannot stand here; a number, a name or a bracket should.`,
    );
  }

  #named({ text, at }: Token): Expression {
    if (Object.hasOwn(constants, text)) return { kind: "number", value: constants[text]! };
    if (isFunction(text)) this.#fail(at, `${text} is a function; write ${text}(…).`, text.length);
    if (text !== timeName && !this.#states.has(text) && !this.#parameters.has(text))
      this.#parameters.set(text, at);
    return { kind: "name", name: text, at };
  }

  #call({ text, at }: Token): Expression {
    if (!isFunction(text)) {
      const near = text === "ln" ? "log" : nearName(text, functionNames);
      const hint = near === undefined ? "" : `; did you mean ${near}?`;
      const product = this.#states.has(text) || text === timeName ? ` For a product write ${text}*(…).` : "";
      this.#fail(
        at,
        `there is no function ${text}${hint || "."} There are ${functionNames.join(", ")}.${product}`,
        text.length,
      );
    }
    const open = this.#take().at;
    const given: Expression[] = [];
    do given.push(this.#deeper(() => this.#sum()));
    while (this.#peek.text === "," && this.#take());
    this.#close(open);
    const wanted = argumentsOf(text);
    if (given.length !== wanted) {
      this.#fail(
        at,
        `${text} takes ${wanted === 1 ? "one argument" : `${wanted} arguments`}, but ${given.length} ${given.length === 1 ? "is" : "are"} given.`,
        text.length,
      );
    }
    return this.#noProduct({ kind: "call", name: text, given });
  }

  #widths({ text, at }: Token): number[] {
    const given = text.replace(/^mlp:?/, "");
    const hidden = given === "" ? [] : given.split(",").map(Number);
    if (!text.includes(":"))
      this.#fail(at, "write the widths of the network: mlp:16 or mlp:16,16.", text.length);
    if (!hidden.every((width) => width > 0 && width <= widest)) {
      this.#fail(at, `widths of a network are whole numbers from 1 to ${widest}.`, text.length);
    }
    return hidden;
  }

  /** `2x` and `a b` are no products here: a name could as well have been misspelt. */
  #noProduct(expression: Expression): Expression {
    const { kind, at, text } = this.#peek;
    if (kind === "number" || kind === "name" || kind === "network" || text === "(") {
      this.#fail(at, "a sign is missing before this; a product is written with *.", Math.max(1, text.length));
    }
    return expression;
  }

  #close(open: number): void {
    if (this.#peek.text === ")") this.#next++;
    else if (this.#peek.kind.startsWith("end")) this.#fail(open, "this bracket is not closed.");
    else this.#fail(this.#peek.at, "a ) should stand here, or a sign before this.", this.#peek.text.length);
  }

  #expectEnd(): void {
    const { kind, text, at } = this.#peek;
    if (kind.startsWith("end")) return;
    this.#fail(
      at,
      text === "="
        ? "a second = in one equation; separate equations with ;."
        : `${text} cannot stand here; equations are separated with ;.`,
      text.length,
    );
  }

  /** @throws {EquationError} for what no stack holds */
  #deeper(read: () => Expression): Expression {
    if (++this.#depth > deepest)
      this.#fail(this.#peek.at, `more than ${deepest} brackets within brackets; write it simpler.`);
    const found = read();
    this.#depth--;
    return found;
  }

  get #peek(): Token {
    return this.#tokens[this.#next]!;
  }

  #take(): Token {
    const token = this.#peek;
    if (token.kind !== "end") this.#next++;
    return token;
  }

  #fail(at: number, message: string, width = 1): never {
    throw new EquationError(this.#text, at, message, width);
  }
}

/** Units of a layer. */
const widest = 4096;
