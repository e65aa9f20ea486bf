import { existsSync } from 'node:fs';

/** Chromium, where it is installed; QGEMM_TEST_CHROMIUM says where it is elsewhere. */
export const chromiumPath: string | undefined = [
  process.env['QGEMM_TEST_CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => path !== undefined && existsSync(path));

/** Headless in a container, and silent on the network. */
export const CHROMIUM_ARGS: readonly string[] = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
