import { defineConfig } from 'vitest/config';

// Fixed names, because the program embeds the files. Relative addresses, so that the page works in any folder of a server.
export default defineConfig({
  base: './',
  build: {
    target: 'es2022',
    assetsDir: '.',
    modulePreload: false,
    assetsInlineLimit: 0,
    rollupOptions: {
      output: { entryFileNames: 'page.js', chunkFileNames: '[name].js', assetFileNames: 'page[extname]' },
    },
  },
  worker: { format: 'es', rollupOptions: { output: { entryFileNames: 'worker.js' } } },
  test: { include: ['tests/**/*.test.ts'], testTimeout: 300_000, hookTimeout: 120_000, fileParallelism: false },
});
