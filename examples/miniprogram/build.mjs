// Compiles the TypeScript into dist, beside copies of everything else, as WeChat's developer tools do by themselves.
import { execFileSync } from 'node:child_process'
import { cpSync, rmSync, statSync } from 'node:fs'

rmSync('dist', { recursive: true, force: true })
execFileSync('npx', ['--no-install', 'tsc', '--project', '.'], { stdio: 'inherit' })
cpSync('miniprogram', 'dist', { recursive: true, filter: path => statSync(path).isDirectory() || !path.endsWith('.ts') })
