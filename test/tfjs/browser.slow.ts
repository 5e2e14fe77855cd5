import { testedInPage } from "./in-chromium.js";

// to compile a shader for each operator of each check takes a GPU in software some minutes
testedInPage("webgl", false);
testedInPage("webgpu", false);
