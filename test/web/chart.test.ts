import { expect } from "chai";
import { shades } from "../../src/plot/cells.js";
import type { Cells, Chart } from "../../src/plot/description.js";
import { theme } from "../../src/plot/theme.js";
import { drawChart } from "../../src/web/chart.js";

/** As much of an element of a page as charts are made of. */
class Element {
  readonly attributes: Record<string, string> = {};
  readonly children: (Element | string)[] = [];
  className = "";

  constructor(readonly name: string) {}

  setAttribute(name: string, value: string): void {
    this.attributes[name] = value;
  }

  append(...children: (Element | string)[]): void {
    this.children.push(...children);
  }

  replaceChildren(...children: (Element | string)[]): void {
    this.children.splice(0, this.children.length, ...children);
  }

  get childElementCount(): number {
    return this.children.filter((child) => typeof child !== "string").length;
  }

  /** All elements of a name inside. */
  all(name: string): Element[] {
    return this.children.flatMap((child) =>
      typeof child === "string" ? [] : [...(child.name === name ? [child] : []), ...child.all(name)],
    );
  }

  get text(): string {
    return this.children.map((child) => (typeof child === "string" ? child : child.text)).join("");
  }
}

describe("charts of the page", () => {
  const before = (globalThis as { document?: unknown }).document;
  beforeEach(() => {
    const made = (name: string) => new Element(name);
    Object.assign(globalThis, {
      document: { createElement: made, createElementNS: (_: string, name: string) => made(name) },
    });
  });
  afterEach(() => {
    Object.assign(globalThis, { document: before });
  });

  const cells = (values: readonly number[], more: Partial<Cells> = {}): Cells => ({
    ...{ kind: "cells", name: "v", x: [0, 1, 2], y: [0, 1], values },
    ...more,
  });
  const drawn = (...layers: readonly Cells[]): Element => {
    const axis = { title: "" };
    const chart: Chart = { panels: layers.map((layer) => ({ x: axis, y: axis, layers: [layer] })) };
    const host = new Element("figure");
    drawChart(host as never, chart);
    return host;
  };
  /** The darkest shade in which each picture has cells. */
  const darkest = (host: Element) =>
    host
      .all("div")[0]!
      .children.map((panel) =>
        (panel as Element)
          .all("path")
          .findLast(({ attributes: { fill, d } }) => fill !== undefined && d !== ""),
      )
      .map((path) => shades.indexOf(path!.attributes.fill!));

  it("have cells of one name in the same shades in all panels, and say what these mean", () => {
    const host = drawn(cells([0, 8]), cells([0, 4]));
    expect(darkest(host)).to.deep.equal([shades.length - 1, shades.length / 2]);
    expect(host.all("li").map(({ text }) => text)).to.deep.equal(["v, 0 to 8"]);
  });

  it("have what is written in cells where there is room, white where they are dark", () => {
    const host = drawn(cells([0, 8], { labels: ["3", "41"] }));
    const written = host.all("text").filter(({ attributes: { style } }) => style !== undefined);
    expect(written.map(({ text, attributes: { style } }) => [text, style])).to.deep.equal([
      ["3", `fill: ${theme.ink}`],
      ["41", `fill: ${theme.background}`],
    ]);
    const long = "as wide as the whole of the picture, or wider than that";
    expect(
      drawn(cells([0, 8], { labels: [long, ""] }))
        .all("text")
        .map(({ text }) => text),
    ).to.not.include(long);
  });

  it("have no margin about cells", () => {
    const paths = drawn(cells([1, 1])).all("path");
    const whole = paths.find(({ attributes: { fill } }) => fill === shades[0])!;
    expect(whole.attributes.d).to.equal("M62,10H408V226H62Z");
  });
});
