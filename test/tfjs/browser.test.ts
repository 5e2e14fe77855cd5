import { backends } from "../../src/graph-model/backends.js";
import { testedInPage } from "./in-chromium.js";

for (const backend of backends) testedInPage(backend, true);
