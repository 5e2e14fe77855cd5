import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { html } from "../../src/cli/report/html.js";
import { usageOf } from "../../src/cli/report/usage.js";
import { loadModel } from "../../src/deploy/load-model.js";
import { missingModules } from "../support/python.js";
import { fixture, json, run, scratch, written } from "./command.js";

/** The text of HTML. */
function textOf(page: string): string {
  const entities: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };
  return page
    .replace(/<[^>]*>/g, "")
    .replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => entities[name]!);
}

/** The code under a heading of a report. */
function codeUnder(page: string, heading: string): string {
  const [, code] = new RegExp(`<h3>${heading}[^<]*</h3>\\s*<pre><code[^>]*>([\\s\\S]*?)</code>`).exec(page)!;
  return textOf(code!);
}

const sections = (page: string) => [...page.matchAll(/<h2>(.*?)<\/h2>/g)].map(([, title]) => title);

/** Whatever stands in a page, nothing is loaded from elsewhere and nothing runs. */
function expectSelfContained(page: string): void {
  expect(page).to.match(
    /Content-Security-Policy" content="default-src &#39;none&#39;; img-src data:; style-src/,
  );
  const markup = page.replace(/<pre>[\s\S]*?<\/pre>/g, "");
  for (const [, , address] of markup.matchAll(/\b(src|href|action)\s*=\s*"([^"]*)"/g)) {
    expect(address!.slice(0, 30)).to.match(/^data:image\/svg\+xml;base64,/);
  }
  expect(markup).not.to.match(/<(script|iframe|link|object|embed)\b|@import|url\(/);
  expect(page).to.include('name="viewport"').and.include("prefers-color-scheme: dark");
}

describe("html", () => {
  it("escapes what is no HTML, and shows what would not be seen", () => {
    const name = `<b onclick='x'>&"\u202e`;
    expect(html`<p title="${name}">${name}${html`<i>${1}</i>`}${[null, "a"]}</p>`.html).to.equal(
      '<p title="&lt;b onclick=&#39;x&#39;&gt;&amp;&quot;\\u{202e}">&lt;b onclick=&#39;x&#39;&gt;&amp;&quot;\\u{202e}<i>1</i>a</p>',
    );
  });
});

describe("report.html", () => {
  const folder = scratch();
  const rows = Array.from({ length: 12 }, (_, i) => [
    ...[i / 4, 3 * Math.exp(-i / 4) + 0.02 * Math.sin(7 * i), Math.cos(i / 4) + 0.02 * Math.cos(5 * i)],
  ]);
  const hostile = "</code></pre><script>alert(1)</script>";
  const place = folder("run");
  let page: string;
  before(async () => {
    const data = written(
      folder("<img src=x>.csv"),
      `t,x,"y ${hostile}"\n${rows.map((row) => row.join()).join("\n")}\n`,
    );
    await json("train", data, "--field", "dx = -a*x; dy = -b*sin(b*t)", "--steps", "20", "--out", place);
    page = readFileSync(join(place, "report.html"), "utf8");
  });

  it("has all that is known of a fit, and needs no other file", () => {
    expect(sections(page)).to.deep.equal([
      ...[
        "Fit",
        "Residuals",
        "Phase portrait",
        "Parameters",
        "Summary",
        "Independent check",
        "Losses",
        "Use",
      ],
      ...["Settings", "Versions"],
    ]);
    expectSelfContained(page);
    expect(page.match(/<img alt="/g)).to.have.length(4);
    const text = textOf(page);
    expect(text).to.include("dx = -a*x; dy = -b*sin(b*t)").and.include("The two agree.");
    // the name, the value and the interval of the parameter
    expect(text).to.match(/a(1\.0|0\.9)\d+0\.9\d+ to 1\.0/);
  });

  it("shows names from files as text", () => {
    expect(page).not.to.include("<img src=x").and.not.to.include("<script");
    expect(textOf(page)).to.include("<img src=x>.csv");
  });

  it("has code for Node.js that runs as it stands", () => {
    // modules are looked for from the place of the script, files from where it runs
    const cache = "node_modules/.cache/report-test";
    mkdirSync(cache, { recursive: true });
    const script = join(process.cwd(), cache, "use.mjs");
    writeFileSync(script, codeUnder(page, "Node.js"));
    const { stdout, stderr, status } = spawnSync(process.execPath, [script], {
      cwd: place,
      encoding: "utf8",
    });
    rmSync(cache, { recursive: true });
    expect(status, stderr).to.equal(0);
    const [dx, dy] = [...stdout.matchAll(/-?\d+\.\d+(?:e-?\d+)?|-?0(?=[, ])/g)].map(Number);
    // of dx = −x at x = 3, nearly; and dy = −sin 0
    expect(dx).to.be.closeTo(-3, 0.1);
    expect(Math.abs(dy ?? 0)).to.be.lessThan(1e-9);
  });

  it("has code for Python that runs as it stands", function () {
    const why = missingModules("numpy", "onnxruntime");
    if (why !== null) {
      console.log(`      skipped: ${why}`);
      this.skip();
    }
    const interpreter = process.env.REVORT_PYTHON ?? "python3";
    const { stdout, stderr, status } = spawnSync(interpreter, ["-c", codeUnder(page, "Python")], {
      ...{ cwd: place, encoding: "utf8" },
    });
    expect(status, stderr).to.equal(0);
    expect(Number(/-?\d+\.\d+/.exec(stdout)![0])).to.be.closeTo(-3, 0.1);
  });

  it("has code for C++ with an array and a shape for each input", async () => {
    const code = codeUnder(page, "C\\+\\+");
    expect(code)
      .to.include("std::vector<double> data0{0};")
      .and.include("std::vector<int64_t> shape1{1, 2};");
    expect(code).to.include('const char* input_names[] = {"t", "y"};');
    const [node, , python] = usageOf("f.onnx", await loadModel(fixture("vector-state-dynamo-18.onnx")));
    expect(node!.code).to.include('new ort.Tensor("float32", new Float32Array(3), [3])');
    expect(python!.code).to.include("np.zeros((3,), np.float32)");
  });

  it("is made of a run that was interrupted, too", async () => {
    const out = folder("interrupted");
    const data = written(folder("long.csv"), `t,x\n${rows.map(([t, x]) => `${t},${x}`).join("\n")}\n`);
    const words = ["train", data, "--field", "mlp:4", "--steps", "100000", "--out", out];
    expect((await run(words, /training\s+0 %/)).code).to.equal(130);
    const interrupted = readFileSync(join(out, "report.html"), "utf8");
    expect(sections(interrupted)[0]).to.equal("To be considered");
    expect(textOf(interrupted)).to.include("The training was interrupted");
    expect(sections(interrupted)).not.to.include("Independent check");
  });

  it("is made of language models, with code that calls them", async () => {
    const out = folder("language");
    await json("train", "revdeq-lm", "--steps", "1", "--out", out);
    const language = readFileSync(join(out, "report.html"), "utf8");
    expectSelfContained(language);
    expect(sections(language)).to.deep.equal(["Summary", "Losses", "Use", "Settings", "Versions"]);
    expect(codeUnder(language, "Python")).to.include('"tokens": np.zeros((1, 64), np.int64)');
    expect(textOf(language)).to.include("revort generate").and.include("perplexity of the validation text");
  });
});
