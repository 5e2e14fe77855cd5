import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vitepress";

const docs = join(import.meta.dirname, "..");

/** The title of a page is its first heading. */
function titled(folder: string): { text: string; link: string }[] {
  if (!existsSync(join(docs, folder))) return [];
  return readdirSync(join(docs, folder))
    .filter((file) => file.endsWith(".md") && file !== "index.md")
    .map((file) => {
      const [, text = file] = /^# (.*)$/m.exec(readFileSync(join(docs, folder, file), "utf8")) ?? [];
      return { text: text.replace(/`/g, ""), link: `/${folder}/${file.slice(0, -3)}` };
    });
}

export default defineConfig({
  title: "revort",
  description:
    "Gradients of neural differential equations in memory that does not depend on the number of steps",
  cleanUrls: true,
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    nav: [
      { text: "First hour", link: "/first-hour" },
      { text: "How to", link: "/how-to/own-data" },
      { text: "Concepts", link: "/concepts/reversal" },
      { text: "Reference", link: "/reference/command-line" },
    ],
    sidebar: [
      {
        text: "Start",
        items: [
          { text: "A first hour", link: "/first-hour" },
          { text: "Beside other libraries", link: "/comparison" },
          { text: "Experiments", link: "/experiments" },
          { text: "Numbers", link: "/numbers" },
        ],
      },
      { text: "How to", items: titled("how-to") },
      { text: "Concepts", items: titled("concepts") },
      {
        text: "Reference",
        items: [
          { text: "Command line", link: "/reference/command-line" },
          { text: "Library", link: "/reference/api/" },
        ],
      },
      { text: "Why it is as it is", collapsed: true, items: titled("decisions") },
    ],
  },
});
