import { defineConfig } from 'vitest/config';

/** What `npm run test:aws` runs: emulators answer slowly on a loaded machine, so the limits are wide. */
export default defineConfig({
  test: {
    include: ['test/aws/**/*.test.ts', 'src/**/*.aws.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    reporters: ['default', './test/closing-line.ts'],
    retry: process.env.CI ? 1 : 0,
    // One second, the default, is too short for a loaded machine.
    expect: { poll: { timeout: 20_000 } },
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
});
