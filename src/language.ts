// revort/language: language models, deep-equilibrium and plain; their texts, their tokenizers, and what they write.

export { type Cell, type CellOptions, cells } from "./language/cell.js";
export {
  type CellName,
  ConfigurationError,
  type ConfigurationName,
  configurations,
  type EquilibriumConfiguration,
  type LanguageConfiguration,
  type LanguageKind,
  languageKinds,
} from "./language/configuration.js";
export {
  type GenerateOptions,
  type Generator,
  type GeneratorOptions,
  generator,
} from "./language/generation.js";
export { gpt2Tokenizer } from "./language/gpt2-tokenizer.js";
export { cellModel, type LanguageModel, languageModel, parameterCount } from "./language/language-model.js";
export { sampleEntropy, sampleText } from "./language/sample-text.js";
export { SamplingError, type SamplingOptions } from "./language/sampling.js";
export {
  shuffledWindows,
  splitText,
  TextError,
  type TextWindows,
  type TokenizedText,
  type TokenSequence,
  tokenize,
  windowsOf,
  wordsIn,
} from "./language/text.js";
export { byteTokenizer, type Tokenizer, TokenizerError } from "./language/tokenizer.js";
export { tokenizerFromFile } from "./language/tokenizer-file.js";
