import { expect } from "chai";
import { outlines, rangeOf, runsByShade, shades } from "../../src/plot/cells.js";
import { type Cells, type Chart, ChartError, renderChart } from "../../src/plot/chart.js";
import { failure } from "../support/failure.js";

const axis = { title: "" };
const cells = (changed: Partial<Cells> = {}): Cells => ({
  ...{ kind: "cells", x: [0, 1, 2], y: [0, 1, 2], values: [0, 1, 2, 3] },
  ...changed,
});
const chart = (...layers: Cells[]): Chart => ({
  panels: layers.map((layer) => ({ x: axis, y: axis, width: 200, height: 100, layers: [layer] })),
});

/** Where paths are drawn, as [color, d], without those of clips and axes. */
async function drawn(description: Chart): Promise<[string, string][]> {
  const { svg } = await renderChart(description);
  return [...svg.matchAll(/<path[^>]*? d="(M[^"]*Z)" fill="(#[0-9a-f]{6})"/g)].map(([, d, color]) => [
    color!,
    d!,
  ]);
}

describe("cells of a chart", () => {
  it("are white at the lowest value and darkest at the highest, the lowest row at the bottom", async () => {
    const found = await drawn(chart(cells()));
    expect(found[0]).to.deep.equal([shades[0], "M0,50H200V100H0ZM0,0H200V50H0Z"]);
    // 3 is in the second row and column
    expect(found.at(-1)).to.deep.equal([shades.at(-1), "M100,0H200V50H100Z"]);
    expect(shades[0]).to.equal("#ffffff");
  });

  it("leave values blank that are not finite", () => {
    const layer = cells({ values: [Number.NaN, 1, Number.POSITIVE_INFINITY, 3] });
    expect(rangeOf(layer, { panels: [] })).to.deep.equal([1, 3]);
    expect(runsByShade(layer, [1, 3])[0]).to.deep.equal([
      { row: 0, from: 1, to: 2 },
      { row: 1, from: 1, to: 2 },
    ]);
  });

  it("lie over those that are lighter, so that neighbours leave no seam", () => {
    const byShade = runsByShade(cells(), [0, 3]);
    const area = (k: number) => byShade[k]!.reduce((sum, { from, to }) => sum + to - from, 0);
    const areas = byShade.map((_, k) => area(k));
    expect(areas).to.deep.equal([...areas].sort((a, b) => b - a));
    expect([areas[0], areas.at(-1)]).to.deep.equal([4, 1]);
    expect(outlines([{ row: 0, from: 0, to: 2 }], { x: [0, 0.123456, 2], y: [1, 0] })).to.equal(
      "M0,0H2V1H0Z",
    );
  });

  it("share their shades with those of the same name, or have a range that is given", () => {
    const [one, other] = [cells({ name: "v" }), cells({ name: "v", values: [0, 0, 0, 9] })];
    expect(rangeOf(one, chart(one, other))).to.deep.equal([0, 9]);
    expect(rangeOf(cells(), chart(one, other))).to.deep.equal([0, 3]);
    expect(rangeOf(cells({ range: [-1, 1] }), chart(one))).to.deep.equal([-1, 1]);
    expect(rangeOf(cells({ values: [0, 0, 0, 0].map(() => Number.NaN) }), chart(one))).to.deep.equal([0, 1]);
  });

  it("say in the legend what the shades mean, and take no colour from lines", async () => {
    const { svg } = await renderChart({
      panels: [
        {
          ...{ x: axis, y: axis },
          layers: [
            cells({ name: "density", values: [1e-9, 1, 2, 0.3] }),
            { kind: "line", name: "path", x: [0, 2], y: [0, 2] },
          ],
        },
      ],
    });
    expect(svg).to.include(">density, 0 to 2<");
    expect(svg).to.include('stroke="#0072b2"');
  });

  it("have labels where there is room, white where they are dark", async () => {
    const { svg } = await renderChart(
      chart(cells({ labels: ["a", "", "c", "much too long for its cell of a hundred"] })),
    );
    expect(svg).to.include(">a<").and.to.include(">c<").and.to.not.include("much too long");
    const dark = await renderChart(chart(cells({ labels: ["", "", "", "d"] })));
    expect(dark.svg).to.match(/fill="#ffffff"[^>]*>d</);
  });

  it("are refused where numbers and edges do not fit", async () => {
    const refused = async (changed: Partial<Cells>) =>
      (await failure(renderChart(chart(cells(changed))), ChartError)).message;
    expect(await refused({ values: [1, 2] })).to.equal(
      "The cells of panel 1 have 2 values, but their edges, 3 and 3, make 4 cells; give one for each.",
    );
    expect(await refused({ labels: ["a"] })).to.include("1 labels");
    expect(await refused({ x: [0, 2, 1] })).to.equal(
      "The cells of panel 1 have edges in x that do not increase; give finite ones in order.",
    );
    expect(await refused({ y: [0, Number.NaN, 2] })).to.include("edges in y");
  });
});

describe("labels of an axis", () => {
  const classes = ["automobile", "bird", "cat"].map((label, value) => ({ value, label }));
  const labelled = (width: number): Chart => ({
    panels: [
      {
        ...{ x: { title: "class", labels: classes }, y: { title: "true" }, width, height: 60 },
        layers: [cells({ x: [-0.5, 0.5, 1.5, 2.5], values: [0, 1, 2, 3, 4, 5] })],
      },
    ],
  });

  it("stand in the place of round values, on end where they have no room beside each other", async () => {
    const [wide, narrow] = [await renderChart(labelled(400)), await renderChart(labelled(60))];
    for (const { svg } of [wide, narrow])
      for (const { label } of classes) expect(svg).to.include(`>${label}<`);
    expect(narrow.svg).to.include("rotate(-90)");
    expect(narrow.svg.match(/rotate\(-90\)/g)!.length - wide.svg.match(/rotate\(-90\)/g)!.length).to.equal(3);
  });
});
