import js from '@eslint/js';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  {
    ignores: [
      'dist/',
      'build*/',
      'prebuilds/',
      'docs/api/',
      'node_modules/',
      'bench/results/',
      'bench/build/',
      '.cache/',
    ],
  },
  js.configs.recommended,
  ...tseslint.configs.strict,
  {
    languageOptions: {
      globals: Object.fromEntries(
        [
          'process',
          'console',
          'Buffer',
          'URL',
          'performance',
          'setTimeout',
          'setImmediate',
          'setInterval',
          'clearInterval',
          'clearTimeout',
          'structuredClone',
          'require',
          'module',
          '__dirname',
          '__filename',
          'AbortController',
          'AbortSignal',
          'SharedArrayBuffer',
          'TextDecoder',
          'TextEncoder',
          'exports',
          'MessageChannel',
        ].map((name) => [name, 'readonly']),
      ),
    },
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-require-imports': 'off',
    },
  },
);
