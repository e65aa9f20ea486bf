/** Whether the tests run on an emulated CPU (scripts/test-isas.mjs), where everything takes ten to a hundred times as long. */
export const emulated: boolean = process.env['QGEMM_TEST_SLOW_CPU'] === '1';

/** The size or count of a test: `small` on an emulated CPU, where the operation is as long in time as `usual` elsewhere. */
export function scaled(usual: number, small: number): number {
  return emulated ? small : usual;
}
