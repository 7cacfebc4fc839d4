// Package words has the texts of kubectl wechatpay in English and Chinese. The code contains the English texts;
// Translate and Word return the Chinese ones. The glossary has one word for each thing in each language.
package words

import "strings"

// Language is a language of the texts.
type Language string

// English is the default.
const (
	English Language = "en"
	Chinese Language = "zh"
)

// Of selects the language as POSIX defines: by the first of LC_ALL, LC_MESSAGES and LANG that is set.
func Of(getenv func(string) string) Language {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if locale := getenv(name); locale != "" {
			if strings.HasPrefix(strings.ToLower(locale), "zh") {
				return Chinese
			}
			return English
		}
	}
	return English
}

// Translate translates a message or a format.
func Translate(language Language, english string) string {
	if chinese, known := messages[english]; known && language == Chinese {
		return chinese
	}
	return english
}

// Word translates a word by the glossary. Unknown words are returned unchanged.
func Word(language Language, english string) string {
	entry, known := glossary[english]
	switch {
	case !known:
		return english
	case language == Chinese:
		return entry.chinese
	case entry.english != "":
		return entry.english
	default:
		return english
	}
}

// KnowsWord reports whether a word is in the glossary.
func KnowsWord(english string) bool {
	_, known := glossary[english]
	return known
}

// Messages returns all formats with their translations, for tests.
func Messages() map[string]string { return messages }
