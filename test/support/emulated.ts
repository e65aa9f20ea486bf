/** Whether the tests run on an emulated CPU (scripts/test-isas.mjs), where everything takes ten to a hundred times as long. */
export const emulated: boolean = process.env['QGEMM_TEST_SLOW_CPU'] === '1';

/** The size, count or cases of a test: `small` on an emulated CPU, which takes as long for that as others for `usual`. */
export function scaled<T>(usual: T, small: T): T {
  return emulated ? small : usual;
}
