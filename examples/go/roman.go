package main

import "strings"

var numerals = []struct {
	value int
	text  string
}{
	{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"},
	{50, "L"}, {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"},
}

// Roman writes a number from 1 to 3999 as the Romans did.
func Roman(number int) string {
	var text strings.Builder
	for _, numeral := range numerals {
		for ; number >= numeral.value; number -= numeral.value {
			text.WriteString(numeral.text)
		}
	}
	return text.String()
}
