package main

import "testing"

func TestRoman(t *testing.T) {
	for number, want := range map[int]string{1: "I", 4: "IV", 1994: "MCMXCIV", 3999: "MMMCMXCIX"} {
		if got := Roman(number); got != want {
			t.Errorf("Roman(%d) is %q and not %q", number, got, want)
		}
	}
}
