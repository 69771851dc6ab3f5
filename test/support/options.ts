import { InvalidArgumentError } from 'commander';

/** Parses the value of an option as a non-negative integer. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0)
    throw new InvalidArgumentError('It must be a whole number from 0.');
  return value;
}
