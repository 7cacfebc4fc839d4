// Package words has what kubectl wechatpay says, in English and Chinese. The code says it in English; Translate and Word look up the
// Chinese. The glossary gives each thing one word in each language.
package words

import "strings"

// Language is one that there are words in.
type Language string

// English is spoken where nothing else is asked for.
const (
	English Language = "en"
	Chinese Language = "zh"
)

// Of chooses the language as POSIX says: by the first of LC_ALL, LC_MESSAGES and LANG that is set.
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

// Translate is a message or a format in a language.
func Translate(language Language, english string) string {
	if chinese, known := messages[english]; known && language == Chinese {
		return chinese
	}
	return english
}

// Word is a word of the glossary in a language. What is not in it stays as it is.
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

// Messages are all formats with their translations: for tests.
func Messages() map[string]string { return messages }
