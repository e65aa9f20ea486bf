/** Number of random cases of a property test: QGEMM_FUZZ=20 runs twenty times as many. */
export function runs(count: number): number {
  return Math.ceil(count * Number(process.env['QGEMM_FUZZ'] ?? 1));
}
