// Checks the types, and bundles the page into dist: three files, for the storefront's --static.
import { execFileSync } from 'node:child_process'
import { cpSync, rmSync } from 'node:fs'
import { build } from 'esbuild'

rmSync('dist', { recursive: true, force: true })
execFileSync('npx', ['--no-install', 'tsc', '--project', '.'], { stdio: 'inherit' })
await build({ entryPoints: ['src/main.ts'], outfile: 'dist/main.js', bundle: true, minify: true, target: 'es2020', legalComments: 'none', logLevel: 'warning' })
for (const file of ['index.html', 'style.css', 'config.json']) {
  cpSync(file, `dist/${file}`)
}
