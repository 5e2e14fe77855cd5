import { mkdirSync, readFileSync } from "node:fs";
import { relative } from "node:path";
import { expect } from "chai";
import { BundleError } from "../../src/cli/bundle/bundle-error.js";
import { leftOut } from "../../src/cli/bundle/left-out.js";
import { licenceTexts } from "../../src/cli/bundle/licence-texts.js";
import { namedFiles } from "../../src/cli/bundle/named.js";
import { filesOf, packagesFor } from "../../src/cli/bundle/packages.js";
import { packageFolder } from "../../src/cli/bundle/program.js";
import { runtimeNames } from "../../src/cli/runtimes.js";
import { UsageError } from "../../src/cli/usage.js";
import { ModelError } from "../../src/graph/model.js";
import { StorageError } from "../../src/storage/storage-error.js";
import { failure } from "../support/failure.js";
import { fixture, refusal, scratch, written } from "./command.js";

describe("what goes into a bundle", () => {
  const folder = scratch();

  it("are the packages that commands need, of ONNX Runtime the library of this platform alone", () => {
    const packages = packagesFor(packageFolder);
    const names = packages.map(({ name }) => name);
    expect(names).to.include.members(["onnxruntime-node", "onnxruntime-common", "zod", "vega", "fastify"]);
    expect(names).not.to.include.members(["onnxruntime-web"]);
    expect(names.filter((name) => /^@(tensorflow|types)\//.test(name))).to.deep.equal([]);
    const onnx = filesOf(packages.find(({ name }) => name === "onnxruntime-node")!);
    const here = `/${process.platform}/${process.arch}/`;
    const binaries = onnx.filter((path) => path.startsWith("bin/"));
    expect(binaries.length).to.be.within(2, 3);
    expect(binaries.every((path) => path.includes(here))).to.equal(true);
  });

  it("come with the texts of their licences, the standard one with its holder where a package leaves it out", () => {
    const packages = packagesFor(packageFolder);
    const mit = /Copyright \(c\) .*\S[\s\S]*Permission is hereby granted[\s\S]*WITHOUT WARRANTY OF ANY KIND/i;
    const marks: Readonly<Record<string, RegExp>> = {
      MIT: /Permission is hereby granted, free of charge/,
      ISC: /Permission to use, copy, modify/,
      "BSD-3-Clause": /Redistribution and use in source and binary forms/,
      "Apache-2.0": /Apache License[\s\S]*2\. Grant of Copyright License/,
      "MPL-2.0": /Mozilla Public License[\s\S]*Exhibit A/,
    };
    for (const one of packages) {
      const text = licenceTexts(one, packages).join("\n");
      for (const name of one.licence.replace(/[()]/g, "").split(" AND ")) {
        // a font's and the Unlicense are those that their packages hold
        expect(text, one.name).to.match(marks[name] ?? /\S/);
      }
    }
    const textOf = (name: string) =>
      licenceTexts(packages.find((one) => one.name === name)!, packages).join("\n");
    expect(textOf("onnxruntime-node")).to.match(mit).and.contain("Copyright (c) Microsoft Corporation");
    expect(textOf("onnx-buf")).to.match(mit).and.contain("Eric Zhang");
    expect(textOf("@bufbuild/protobuf")).to.contain("Buf Technologies, Inc. and 2008 Google Inc.");
    const strange = { ...packages[0]!, name: "strange", folder: folder("strange"), author: "Nobody" };
    mkdirSync(folder("strange"), { recursive: true });
    for (const licence of ["", "GPL-3.0-only", "MIT OR Beerware"]) {
      expect(() => licenceTexts({ ...strange, licence }, packages)).to.throw(
        BundleError,
        "may not be passed on",
      );
    }
    expect(() => licenceTexts({ ...strange, licence: "MIT", author: null }, packages)).to.throw(BundleError);
  });

  it("has runtimes without those of browsers and the largest, which are runtimes by their names", () => {
    expect(runtimeNames).to.include.members([...leftOut]);
  });

  it("is what is named, under its path from here, or its last name where that is elsewhere", async () => {
    mkdirSync(folder("run"), { recursive: true });
    written(folder("run", "result.json"), "{}");
    // what a killed process left
    written(folder("run", "lock-01234567.json"), "{}");
    const files = await namedFiles(
      [folder("run"), relative(process.cwd(), fixture("buffers-dynamo-18.onnx"))],
      new Set(),
    );
    const names = files.map(({ name }) => name);
    expect(names).to.include.members(["run/result.json", "test/fixtures/pytorch/buffers-dynamo-18.onnx"]);
    expect(names.filter((name) => name.includes("lock"))).to.deep.equal([]);
    expect(await files.at(-1)!.content()).to.deep.equal(readFileSync(fixture("buffers-dynamo-18.onnx")));
  });

  it("is refused where it is missing, no model, or of a name that is taken", async () => {
    await failure(namedFiles([folder("nothing")], new Set()), StorageError);
    await failure(namedFiles([written(folder("bad.onnx"), "no model")], new Set()), ModelError);
    const one = written(folder("lib"), "");
    expect((await failure(namedFiles([one], new Set(["lib"])), UsageError)).message).to.contain("Rename");
  });

  it("is packed as a .tar.gz or .tar.xz alone", async () => {
    expect(await refusal(2, "bundle", "--out", folder("revort.zip"))).to.contain(".tar.gz");
  });
});
