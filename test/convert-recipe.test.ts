import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { WEIGHT_NUMERICS, WEIGHT_SCHEMES } from '../lib/schemes.js';
import { convert } from '../lib/index.js';
import { qgemm } from './support/cli.js';
import { f32, temporaryFolder, writeSafetensors } from './support/safetensors.js';

let folder: string;
let input: string;
let output: string;
let recipe: string;
beforeEach(() => {
  folder = temporaryFolder();
  const names = ['a.weight', 'b.weight', 'c.weight', 'd.weight'];
  input = writeSafetensors(join(folder, 'in'), Object.fromEntries(names.map((name, i) => [name, f32([8, 16], i)])));
  output = join(folder, 'out');
  recipe = join(folder, 'recipe.json');
});

const write = (value: unknown): void =>
  writeFileSync(recipe, typeof value === 'string' ? value : JSON.stringify(value));

describe('recipes', () => {
  it('the first rule that matches counts; the options say the rest', async () => {
    write({
      rules: [
        { match: 'a.*', keep: true },
        { match: 'b.*', scheme: 'float32' },
        { match: '?.weight', symmetric: false },
        { match: 'c.*', granularity: 'per-tensor' },
      ],
    });
    const { tensors } = await convert(input, output, { recipe, numerics: 'torch' });
    expect(Object.fromEntries(tensors.map(({ name, action, storedAs }) => [name, storedAs ?? action]))).toEqual({
      'a.weight': 'kept',
      'b.weight': 'float32',
      'c.weight': 'int8 per-channel asymmetric, torch numerics',
      'd.weight': 'int8 per-channel asymmetric, torch numerics',
    });
  });

  it.each([
    ['ERR_QGEMM_FORMAT', '[]', /must be an object/],
    ['ERR_QGEMM_FORMAT', '{}', /"rules" in .* must be an array/],
    ['ERR_QGEMM_FORMAT', { rules: [], rule: 1 }, /no keys but rules, \$schema, got "rule"/],
    ['ERR_QGEMM_FORMAT', { rules: [{ match: '*' }, { match: '*', sheme: 'int8' }] }, /rules\[1\] in .* got "sheme"/],
    ['ERR_QGEMM_FORMAT', '{"rules":[{"match":"*","__proto__":{}}]}', /rules\[0\] in .* got "__proto__"/],
    ['ERR_QGEMM_FORMAT', { rules: [{ scheme: 'int8' }] }, /"match" of rules\[0\]/],
    ['ERR_QGEMM_FORMAT', { rules: [{ match: '*', scheme: 'int3' }] }, /"scheme" of rules\[0\].*got "int3"/],
    ['ERR_QGEMM_FORMAT', { rules: [{ match: '*', keep: 1 }] }, /"keep" of rules\[0\].*a boolean/],
    ['ERR_QGEMM_FORMAT', '{"rules":[', /must be JSON/],
    ['ERR_QGEMM_ARGUMENT', { rules: [{ match: 'x.*' }] }, /"x\.\*" must match at least one tensor/],
    ['ERR_QGEMM_ARGUMENT', { rules: [{ match: 'a.*', scheme: 'q8_0' }] }, /scheme of "a\.weight"/],
  ])('%s for %j', async (code, value, message) => {
    write(value);
    await expect(convert(input, output, { recipe })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as unknown,
    });
    expect(existsSync(output)).toBe(false);
  });

  it('the schema names the schemes and the numerics that there are', () => {
    const text = readFileSync(join(__dirname, '../docs/recipe.schema.json'), 'utf8');
    const schema = JSON.parse(text) as {
      properties: { rules: { items: { properties: Record<string, { enum: string[] }> } } };
    };
    const { scheme, numerics } = schema.properties.rules.items.properties;
    expect(scheme!.enum).toEqual(WEIGHT_SCHEMES);
    expect(numerics!.enum).toEqual(WEIGHT_NUMERICS);
  });
});

describe('--dry-run', () => {
  it('prints the plan and the very size of the output, and writes nothing', async () => {
    const { status, stdout } = qgemm('convert', input, '-o', output, '--dry-run', '--quiet');
    expect(status).toBe(0);
    expect(stdout).toMatch(/packed +F32 \[8, 16\] .* int8 per-channel symmetric +a\.weight/);
    expect(stdout).toContain('nothing was written');
    expect(existsSync(output)).toBe(false);
    const planned = await convert(input, output, { dryRun: true });
    expect(existsSync(output)).toBe(false);
    const { bytesAfter, tensors } = await convert(input, output);
    expect(planned).toMatchObject({ bytesAfter, tensors });
  });
});
