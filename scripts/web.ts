import { createServer } from "node:http";
import { Command } from "commander";
import { buildPage } from "./web/page.js";
import { respond } from "./web/respond.js";

const options = new Command("npm run web --")
  .description("Builds the page that trains in a browser and serves it to this machine, until Ctrl-C.")
  .option("--port <n>", "port; 0 takes any free one", "8080")
  .allowExcessArguments(false)
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .parse()
  .opts<{ port: string }>();
const port = Number(options.port);
if (!(Number.isInteger(port) && port >= 0 && port < 65536)) {
  console.error(`--port takes a number from 0 to 65535, but ${options.port} was given.`);
  process.exit(2);
}
const files = await buildPage();
const server = createServer((request, response) => respond(files, request, response));
server.on("error", (cause: NodeJS.ErrnoException) => {
  const taken =
    cause.code === "EADDRINUSE"
      ? `Port ${port} is taken; give another one: npm run web -- --port 8081`
      : cause.message;
  console.error(taken);
  process.exitCode = 1;
});
server.listen(port, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object" && address !== null)
    console.log(`http://127.0.0.1:${address.port}/ (Ctrl-C ends it)`);
});
