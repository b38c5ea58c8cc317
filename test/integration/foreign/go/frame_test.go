package main

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// The vectors to a handler, of this system or of any, are taken, skipped or refused as the file says.
func TestVectors(t *testing.T) {
	content, err := os.ReadFile("../../../golden/wire/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	system := "posix"
	if onWindows {
		system = "windows"
	}
	count := 0
	for _, line := range strings.Split(string(content), "\n") {
		row := strings.Split(line, " | ")
		if strings.HasPrefix(line, "#") || len(row) != 6 || row[1] != "to-handler" {
			continue
		}
		packet, err := hex.DecodeString(row[4])
		if err != nil {
			t.Fatal(err)
		}
		expected := row[3]
		if expected != "SKIP" && expected != "OK" || row[2] != "any" && row[2] != system {
			expected = "a breach"
		}
		if result := judge(packet); result != expected {
			t.Errorf("%s: %s, not %s", row[0], result, expected)
		}
		count++
	}
	if count < 40 {
		t.Errorf("only %d vectors", count)
	}
}

func judge(packet []byte) string {
	if checkPacket(packet) != nil {
		return "a breach"
	}
	frame, err := decode(packet)
	if err != nil {
		return "a breach"
	}
	if frame == nil {
		return "SKIP"
	}
	return "OK"
}
