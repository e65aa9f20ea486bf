/**
 * Matches a whole name against a pattern in which `*` stands for any characters (dots and slashes too) and `?` for one.
 * Runs in time proportional to pattern times name at worst, whatever the pattern.
 */
export function matchesGlob(pattern: string, name: string): boolean {
  let p = 0;
  let i = 0;
  let star = -1;
  let resume = 0;
  while (i < name.length) {
    if (pattern[p] === '*') {
      star = p++;
      resume = i;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === name[i])) {
      p += 1;
      i += 1;
    } else if (star >= 0) {
      // The last star takes one character more.
      p = star + 1;
      i = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') p += 1;
  return p === pattern.length;
}
