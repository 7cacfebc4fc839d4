// hidden are characters that are not seen, or turn the direction of what stands around them: controls, formats, what Unicode tells to
// draw as nothing (such as the Hangul fillers), the Braille pattern without dots, and spaces that are not the space. The wide space of
// Chinese texts and the mark that makes an emoji of a sign are usual.
const hidden = /(?![ \u3000\uFE0F])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Zs}\p{Default_Ignorable_Code_Point}\u2800]/gu

// shown makes hidden characters visible. A description is written by whoever places the order.
export function shown(text: string | undefined): string {
  return (text ?? '').replace(hidden, (c) => `[U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}]`)
}
