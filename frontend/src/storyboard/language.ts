/** In which language a text is written, as far as its letters tell: browsers break its lines, and read it aloud, by that. Pure. */

export function languageOf(text: string): "ja" | "ko" | "zh" | undefined {
  const count = (letters: RegExp) => text.match(letters)?.length ?? 0;
  const kana = count(/[\p{Script=Hiragana}\p{Script=Katakana}]/gu);
  const hangul = count(/\p{Script=Hangul}/gu);
  const han = count(/\p{Script=Han}/gu);
  // A few words of another language do not make it one of that.
  if ((kana + hangul + han) * 2 <= count(/\p{Letter}/gu)) return undefined;
  if (kana > 0) return "ja";
  return hangul > 0 ? "ko" : "zh";
}
