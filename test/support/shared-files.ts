import { existsSync, readFileSync } from "node:fs";

/** Runs a test on a file of the material beside the checkout, or skips it, saying which file is missing. */
export function itWithShared(
  path: string,
  title: string,
  body: (this: Mocha.Context, text: string) => Promise<void>,
): void {
  const url = new URL(`../../../shared/${path}`, import.meta.url);
  if (!existsSync(url)) {
    it.skip(`${title} (needs ../shared/${path})`);
    return;
  }
  it(title, function () {
    return body.call(this, readFileSync(url, "utf8"));
  });
}
