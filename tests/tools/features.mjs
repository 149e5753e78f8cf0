/** The cargo features of the package's wasm files: one for each. */
export const WASM_FEATURES = ["engine", "objects", "api"];
