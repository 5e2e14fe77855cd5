import {
  functionKey,
  type ModelAttribute,
  ModelError,
  type ModelFunction,
  type ModelGraph,
  type ModelNode,
  shown,
  shownNode,
} from "./model.js";

// A graph in ONNX is a list of nodes whose operands are names. For it to mean something, each name must be given once,
// before it is used.

/** Deeper nesting of If, Loop and Scan, and of calls of functions, than any program has. */
const maxDepth = 32;

/** The names visible in a graph: its own so far, and those of the graphs around it. */
interface Names {
  readonly own: Set<string>;
  readonly outer: Names | null;
}

/** @throws {ModelError} if a name is given twice, used before it is given, or never given */
export function checkGraph(graph: ModelGraph, outer: Names | null = null, depth = 0): void {
  if (depth > maxDepth) {
    throw new ModelError(
      `Subgraphs are nested deeper than ${maxDepth}. Simplify the model before loading it.`,
    );
  }
  const names: Names = { own: new Set(graph.initializers.keys()), outer };
  for (const { name } of graph.inputs) declare(names, name, `the input ${shown(name)}`);
  checkNodes(graph.nodes, names, depth);
  const seen = new Set<string>();
  for (const { name } of graph.outputs) {
    if (!isKnown(names, name)) {
      throw new ModelError(
        `The output ${shown(name)} of the graph ${shown(graph.name)} is computed by no node. Export the model again.`,
      );
    }
    if (outer === null && seen.has(name)) {
      throw new ModelError(`The graph has two outputs named ${shown(name)}. Rename one.`);
    }
    seen.add(name);
  }
}

/** The same for the body of a function, which sees nothing but its inputs. */
export function checkFunction(f: ModelFunction): void {
  const names: Names = { own: new Set(), outer: null };
  for (const name of f.inputs)
    declare(names, name, `the input ${shown(name)} of the function ${shown(f.name)}`);
  checkNodes(f.nodes, names, 0);
  for (const name of f.outputs) {
    if (isKnown(names, name)) continue;
    throw new ModelError(
      `The output ${shown(name)} of the function ${shown(f.name)} is computed by no node.`,
    );
  }
}

/** @throws {ModelError} if functions call each other in a circle, so that inlining them would not end */
export function checkCalls(functions: readonly ModelFunction[]): void {
  const byKey = new Map(functions.map((f) => [functionKey({ ...f, opType: f.name }), f]));
  const state = new Map<ModelFunction, "open" | "done">();
  const visit = (f: ModelFunction, depth: number): void => {
    if (state.get(f) === "done") return;
    if (state.get(f) === "open" || depth > maxDepth) {
      throw new ModelError(
        `The functions of the file call each other more than ${maxDepth} deep, or form a cycle at ${shown(f.name)}. ` +
          "Inline them before loading it.",
      );
    }
    state.set(f, "open");
    for (const node of allNodes(f.nodes)) {
      const callee = byKey.get(functionKey(node));
      if (callee !== undefined) visit(callee, depth + 1);
    }
    state.set(f, "done");
  };
  for (const f of functions) visit(f, 1);
}

function* allNodes(nodes: readonly ModelNode[]): Generator<ModelNode> {
  for (const node of nodes) {
    yield node;
    for (const attribute of node.attributes.values()) {
      if (attribute.kind === "graph") yield* allNodes(attribute.value.nodes);
    }
  }
}

function checkNodes(nodes: readonly ModelNode[], names: Names, depth: number): void {
  const makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  for (const node of nodes) {
    for (const name of node.inputs) {
      if (name === "" || isKnown(names, name)) continue;
      const maker = makers.get(name);
      throw new ModelError(
        maker === undefined
          ? `An operand of ${shownNode(node)} is ${shown(name)}, which is no input, initializer or result.`
          : `An operand of ${shownNode(node)} is ${shown(name)}, which ${shownNode(maker)} computes only later: ` +
              "the nodes are not in order, or form a cycle. Export the model again.",
      );
    }
    for (const attribute of node.attributes.values()) checkSubgraph(attribute, names, depth);
    for (const name of node.outputs) if (name !== "") declare(names, name, shownNode(node));
  }
}

function checkSubgraph(attribute: ModelAttribute, names: Names, depth: number): void {
  if (attribute.kind === "graph") checkGraph(attribute.value, names, depth + 1);
}

function declare(names: Names, name: string, by: string): void {
  if (names.own.has(name)) {
    throw new ModelError(
      `The name ${shown(name)} is given twice, the second time by ${by}. Names must differ; export the model again.`,
    );
  }
  names.own.add(name);
}

function isKnown(names: Names, name: string): boolean {
  for (let scope: Names | null = names; scope !== null; scope = scope.outer) {
    if (scope.own.has(name)) return true;
  }
  return false;
}
