/** Exit codes of every command. */
export const exitCodes = { done: 0, failed: 1, wrongRequest: 2, interrupted: 130 } as const;
