import { join } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';

it('everything that is exported has a TSDoc contract', () => {
  const index = join(__dirname, '..', 'lib', 'index.ts');
  const program = ts.createProgram([index], {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
  });
  const checker = program.getTypeChecker();
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(index)!)!);
  const undocumented = exported.filter((symbol) => {
    const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    return target.getDocumentationComment(checker).length === 0;
  });
  expect(exported.length).toBeGreaterThan(40);
  expect(undocumented.map(({ name }) => name)).toEqual([]);
});
