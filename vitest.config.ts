import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    // These need emulators: vitest.aws.config.ts.
    exclude: [...configDefaults.exclude, 'test/aws/**', '**/*.aws.test.ts'],
    pool: 'forks',
    // Many tests wait for other processes, so two at once fit two cores.
    maxWorkers: 2,
    reporters: ['default', './test/closing-line.ts'],
    // A second try only in CI, where machines may be slow; what passed only then is named at the end of the output.
    retry: process.env.CI ? 1 : 0,
    // One second, the default, is too short for a loaded machine.
    expect: { poll: { timeout: 20_000 } },
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
