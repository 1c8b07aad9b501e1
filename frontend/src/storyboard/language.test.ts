import { expect, it } from "vitest";
import { languageOf } from "./language";

it.each([
  ["灯台は十一年のあいだずっと暗いままだった。", "ja"],
  ["マーラ", "ja"],
  ["AIが目を覚ます。", "ja"],
  ["灯塔已经黑了十一年。", "zh"],
  ["燈塔已經黑了十一年。", "zh"],
  ["등대는 십일 년 동안 어두웠다.", "ko"],
  ["大韓民國은 民主共和國이다.", "ko"],
  ["The lighthouse had been dark for eleven years.", undefined],
  ["She whispered こんにちは and climbed on.", undefined],
  ["الشمس تشرق", undefined],
  ["24", undefined],
  ["", undefined],
])("%s: %s", (text, language) => {
  expect(languageOf(text)).toBe(language);
});
