package main

import (
	"fmt"
	"log"
	"net/http"
	"strconv"
	"strings"
)

func main() {
	http.HandleFunc("/", func(answer http.ResponseWriter, request *http.Request) {
		number, err := strconv.Atoi(strings.TrimPrefix(request.URL.Path, "/"))
		if err != nil || number < 1 || number > 3999 {
			http.Error(answer, "ask for a number from 1 to 3999", http.StatusBadRequest)
			return
		}
		fmt.Fprintln(answer, Roman(number))
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}
