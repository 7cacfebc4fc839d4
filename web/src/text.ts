// shown makes characters visible that hide, or turn the direction of, what stands around them. A description is written by whoever
// places the order.
export function shown(text: string | undefined): string {
  return (text ?? '').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => `[U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}]`)
}
