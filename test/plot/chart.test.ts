import { expect } from "chai";
import { type Chart, ChartError, type Layer, renderChart } from "../../src/plot/chart.js";
import { failure } from "../support/failure.js";

const x = { title: "time", unit: "s" };
const y = { title: "angle", unit: "rad" };
const chart = (...layers: Layer[]): Chart => ({ panels: [{ x, y, layers }] });
const line: Layer = { kind: "line", name: "model", x: [0, 1, 2], y: [0, 1, 0] };

/** Width and height, from the header chunk. */
function sizeOfPng(png: Uint8Array): [number, number] {
  const view = new DataView(png.buffer, png.byteOffset);
  expect(String.fromCharCode(...png.subarray(1, 4))).to.equal("PNG");
  return [view.getUint32(16), view.getUint32(20)];
}

async function lineShape(layer: Layer): Promise<string> {
  const { svg } = await renderChart(chart(layer));
  const container = /<g [^>]*mark-line[^>]*>(.*?)<\/g>/s.exec(svg)![1]!;
  return /<path[^>]* d="([^"]*)"/.exec(container)?.[1] ?? "";
}

const refusal = (description: Chart) => failure(renderChart(description), ChartError);

describe("renderChart", () => {
  it("draws an SVG, and a PNG of twice its size", async () => {
    const { svg, png } = await renderChart({ ...chart(line), title: "Pendulum" });
    const [, width, height] = /^<svg [^>]*width="(\d+)" height="(\d+)"/.exec(svg)!;
    expect(sizeOfPng(png)).to.deep.equal([2 * Number(width), 2 * Number(height)]);
    for (const text of ["Pendulum", "time (s)", "angle (rad)", "model"]) expect(svg).to.include(`>${text}<`);
  });

  it("gives the same bytes for the same description", async () => {
    const all: Chart = {
      title: "t",
      panels: [0, 1].map(() => ({
        x,
        y,
        layers: [
          line,
          { kind: "points", x: [0, 1], y: [0, 1] },
          { kind: "band", name: "b", x: [0, 1], low: [0, 0], high: [1, 2] },
          { kind: "rule", axis: "y", at: 0.5, label: "r" },
        ],
      })),
    };
    expect(await renderChart(all)).to.deep.equal(await renderChart(all));
  });

  it("has its text in the PNG even on a machine without fonts", async () => {
    // If text were left out, as resvg does without a font, titles of one length would give one image.
    const images = await Promise.all(["A", "B"].map((title) => renderChart({ ...chart(line), title })));
    expect(images[0]!.png).to.not.deep.equal(images[1]!.png);
  });

  it("breaks a line where a value is not finite, or not positive on a log axis", async () => {
    const broken = { kind: "line", x: [0, 1, 2, 3, 4], y: [1, 2, Number.NaN, 3, 4] } as const;
    expect((await lineShape(broken)).match(/M/g)).to.have.length(2);
    expect((await lineShape({ ...broken, y: [1, 2, 2, 3, 4] })).match(/M/g)).to.have.length(1);
    const log = { x, y: { ...y, scale: "log" }, layers: [{ ...broken, y: [1, 2, 0, 3, 4] }] } as const;
    expect((await renderChart({ panels: [log] })).svg).to.match(/ d="M[^"M]*M[^"M]*"/);
  });

  it("draws a chart without any data", async () => {
    const layers: Layer[] = [
      { kind: "line", name: "empty", x: [], y: [] },
      { kind: "points", x: [Number.NaN], y: [1] },
      { kind: "band", x: [], low: [], high: [] },
      { kind: "rule", axis: "x", at: Number.NaN },
    ];
    expect((await renderChart(chart(...layers))).svg).to.include(">no data<");
    expect((await renderChart(chart())).svg).to.include(">no data<");
  });

  it("thins a very long series", async () => {
    const long = Float64Array.from({ length: 100_000 }, (_, i) => Math.sin(i));
    const { svg } = await renderChart(chart({ kind: "line", x: long.map((_, i) => i), y: long }));
    // Ten thousand points of about 15 characters.
    expect(svg.length).to.be.below(200_000);
  });

  it("gives layers of one name one colour and one entry in the legend, across panels", async () => {
    const points: Layer = { kind: "points", name: "model", x: [0, 1], y: [0, 1] };
    const other: Layer = { ...line, name: "other" };
    const panel = { x, y, layers: [] };
    const panels = [
      { ...panel, layers: [line, other] },
      { ...panel, layers: [points] },
    ];
    const { svg } = await renderChart({ panels });
    expect(svg.match(/>model</g)).to.have.length(1);
    const fills = new Set(svg.match(/fill="#(0072b2|d55e00)"/g));
    expect([...fills]).to.deep.equal(['fill="#0072b2"']);
  });

  it("sets panels in rows, those of a column under each other", async () => {
    const panels = Array.from({ length: 5 }, (_, i) => ({ title: `p${i}`, x, y, layers: [line] }));
    const { svg } = await renderChart({ panels });
    const [, width, height] = /^<svg [^>]*width="(\d+)" height="(\d+)"/.exec(svg)!;
    const [one] = await Promise.all([renderChart({ panels: panels.slice(0, 2) })]);
    const [, rowWidth, rowHeight] = /^<svg [^>]*width="(\d+)" height="(\d+)"/.exec(one!.svg)!;
    // two columns as wide as one row of two, and three rows
    expect(width).to.equal(rowWidth);
    expect(Number(height)).to.be.within(2.5 * Number(rowHeight), 3.5 * Number(rowHeight));
    expect((await refusal({ panels, columns: 0 })).message).to.match(/1 column of panels or more, but 0/);
  });

  it("draws the range of a measurement as a line with ends", async () => {
    const bars: Layer = { kind: "bars", name: "range", x: [0, 1], low: [0, 1], high: [1, 3] };
    const { svg } = await renderChart(chart(bars));
    const lines = [...svg.matchAll(/<g [^>]*mark-rule[^>]*>(.*?)<\/g>/gs)].map(
      ([, inside]) => (inside!.match(/<line/g) ?? []).length,
    );
    // a key in the legend; stems, lower and upper ends
    expect(lines.filter((count) => count === 2)).to.have.length(3);
  });

  it("keeps the axis it is told, and leaves out the symbols beyond it", async () => {
    const points: Layer = { kind: "points", x: [0.5, 5], y: [0.5, 5] };
    const domain = [0, 1] as const;
    const { svg } = await renderChart({
      panels: [{ x: { ...x, domain }, y: { ...y, domain }, layers: [points] }],
    });
    expect(svg.match(/aria-roledescription="point"|fill="#0072b2"/g)).to.have.length(1);
  });

  it("takes any text for a name, and cuts what is too long", async () => {
    const hostile = `<b>&amp;"'\u0000\ud800\n${"long ".repeat(100)}`;
    const { svg } = await renderChart({
      title: hostile,
      panels: [
        {
          title: hostile,
          x: { title: hostile },
          y: { title: hostile },
          layers: [
            { ...line, name: hostile },
            { kind: "rule", axis: "y", at: 1, label: hostile },
          ],
        },
      ],
    });
    expect(svg).to.include("&lt;b&gt;&amp;amp;").and.to.include("…");
    expect(svg).to.not.match(/<b>/);
  });

  it("says what is wrong with a description", async () => {
    expect((await refusal({ panels: [] })).message).to.match(/at least one panel.*give one/);
    const uneven = await refusal(chart({ kind: "line", name: "model", x: [0, 1], y: [0] }));
    expect(uneven.message).to.match(/line "model" of panel 1 has columns of 2 and 1 values; give/);
    const flat = await refusal({ panels: [{ x, y, layers: [], width: 0 }] });
    expect(flat.message).to.match(/Panel 1 is 0 × 1 pixels/);
    const domain = await refusal({ panels: [{ x: { ...x, domain: [1, 0] }, y, layers: [] }] });
    expect(domain.message).to.match(/axis "time" has the domain \[1, 0\]/);
  });

  it("draws texts that every object of JavaScript has something for", async () => {
    const names = Object.getOwnPropertyNames(Object.prototype);
    for (const name of [...names, "length"]) {
      const axis = { title: name };
      const layer = { kind: "points", name, x: [0, 1], y: [1, 2] } as const;
      const { svg } = await renderChart({
        title: name,
        panels: [{ title: name, x: axis, y: axis, layers: [layer] }],
      });
      expect(svg.split(`>${name}<`).length - 1, name).to.be.at.least(4);
    }
  });
});
