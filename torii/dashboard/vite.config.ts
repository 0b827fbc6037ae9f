// Builds the start page into torii/static, which torii serves as it is.
import { defineConfig } from "vite";

// The generated contracts lie outside this folder, and find their library in it.
const folder = (path: string): string => decodeURIComponent(new URL(path, import.meta.url).pathname);

export default defineConfig({
  base: "/",
  resolve: {
    alias: { "@contracts": folder("../../generated/typescript/hanami") },
    dedupe: ["@bufbuild/protobuf"],
  },
  build: {
    outDir: "../static",
    emptyOutDir: true,
    target: "es2022",
    // The content security policy allows files only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
