import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BundleError } from "./bundle-error.js";
import { licencesIn, type PackageHere } from "./packages.js";

// Some packages name their licence and leave out its text, with which alone they may be passed on.

/** Who has the rights to packages that name no person, or a person who has not, as the files in them say. */
const holders: Readonly<Record<string, string>> = {
  "onnxruntime-node": "Microsoft Corporation",
  "onnxruntime-common": "Microsoft Corporation",
  "@bufbuild/protobuf": "2021-2026 Buf Technologies, Inc. and 2008 Google Inc.",
};

/** The texts of a package's licences: those that it holds, or else the standard ones with the holder of its rights. */
export function licenceTexts(one: PackageHere, all: readonly PackageHere[]): string[] {
  const own = textsIn(one);
  if (own.length > 0) return own;
  const names = one.licence.replace(/[()]/g, "").split(" AND ");
  return names.map((name) => standardText(name.trim(), one, all));
}

/** @throws {BundleError} for a licence that is not known by its name */
function standardText(name: string, one: PackageHere, all: readonly PackageHere[]): string {
  const holder = holders[one.name] ?? one.author;
  const template = templates[name];
  if (template !== undefined && holder !== null) return template(holder);
  // these have no holder in them, so that of another package is the same
  const [other] = wholeTexts.has(name) ? all.filter(({ licence }) => licence === name).flatMap(textsIn) : [];
  if (other !== undefined) return holder === null ? other : `Copyright ${holder}\n\n${other}`;
  throw new BundleError(
    `The package ${one.name} ${one.version} holds no text of its licence, ${name === "" ? "which it does not name" : name}, and without ` +
      "it may not be passed on. Reinstall it, or another version of it.",
  );
}

function textsIn({ folder }: Pick<PackageHere, "folder">): string[] {
  return licencesIn(folder).map((file) => readFileSync(join(folder, file), "utf8").trim());
}

const wholeTexts: ReadonlySet<string> = new Set(["Apache-2.0", "MPL-2.0"]);

/** As SPDX has them. */
const templates: Readonly<Record<string, (holder: string) => string>> = {
  MIT: (holder) => `MIT License

Copyright (c) ${holder}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE,
ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`,
  "BSD-3-Clause": (holder) => `Copyright (c) ${holder}

Redistribution and use in source and binary forms, with or without modification, are permitted provided that the following
conditions are met:

1. Redistributions of source code must retain the above copyright notice, this list of conditions and the following
   disclaimer.

2. Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the following
   disclaimer in the documentation and/or other materials provided with the distribution.

3. Neither the name of the copyright holder nor the names of its contributors may be used to endorse or promote products
   derived from this software without specific prior written permission.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING,
BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT
SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR
CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR
PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR
TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE
POSSIBILITY OF SUCH DAMAGE.`,
};
