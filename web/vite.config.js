import { defineConfig } from 'vite'

// Relative addresses, because `kubectl proxy --www` serves the page below a prefix. Plain names, because browsers ask each time
// whether a file is still the same, and because the result is committed: internal/console/dist, which Go embeds.
export default defineConfig({
  base: './',
  build: {
    outDir: '../internal/console/dist',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rollupOptions: { output: { entryFileNames: 'console.js', assetFileNames: 'console[extname]' } },
  },
})
