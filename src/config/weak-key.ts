const MIN_LENGTH = 24;
const MIN_DISTINCT = 10;

/** Texts of examples and of keys that were only meant for a first try. */
const wellKnown =
  /change.?me|password|passw0rd|example|qwerty|letmein|insecure|placeholder|your.(admin|api|secret)|replace.(me|this)/i;

/** The share of characters that follow the one before them in the alphabet, or repeat it. */
function sequentialShare(text: string): number {
  let count = 0;
  for (let i = 1; i < text.length; i++) {
    const step = text.charCodeAt(i) - text.charCodeAt(i - 1);
    if (step >= -1 && step <= 1) count++;
  }
  return count / text.length;
}

/** Words of which people make up keys. */
const commonWords =
  /abc|admin|always|api|backend|battery|bot|brown|change|chat|colloquy|company|conversation|correct|default|demo|dev|dog|dont|dragon|dummy|fox|for|hello|horse|is|jumps|keep|key|lazy|letters?|local|long|master|monkey|must|my|never|not?|only|our|over|please|private|prod(?:uction)?|quick|random|really|replace|root|sample|secret|secure|server|service|share|should|staging|staple|strong|super|team|temp|test|that|the|this|token|use|very|welcome|with|world/gi;

/** The share of letters and digits that belong to common words. */
const shareOfWords = (text: string): number =>
  (text.match(commonWords) ?? []).join('').length / text.replace(/[^A-Za-z0-9]/g, '').length;

/**
 * Returns why a key or token is too easy to guess for production, or undefined. No check recognizes every weak
 * key; this one catches short, repetitive and well-known ones, and phrases.
 */
export function weaknessOf(key: string): string | undefined {
  if (key.length < MIN_LENGTH) return `has fewer than ${MIN_LENGTH} characters`;
  if (new Set(key).size < MIN_DISTINCT) return `has fewer than ${MIN_DISTINCT} different characters`;
  if (/^(.{1,12})\1+.{0,11}$/.test(key)) return 'repeats a short text';
  if (sequentialShare(key) > 0.6) return 'is a sequence of characters';
  if (wellKnown.test(key)) return 'is or contains a well-known example';
  if (/^\d*$/.test(key)) return 'consists of digits';
  if (shareOfWords(key) > 0.5) return 'consists of common words';
  return undefined;
}

/** How to make a key that is not weak. */
export const HOW_TO_MAKE_A_KEY = 'make one with: openssl rand -base64 32';
