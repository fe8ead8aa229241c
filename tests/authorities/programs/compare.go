// Go's order of versions: of toolchains where both start with "go", else of modules, where the leading v may be absent.
package main

import (
	"bufio"
	"fmt"
	"go/version"
	"os"
	"strings"

	"golang.org/x/mod/semver"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines.Scan() {
		left, right, _ := strings.Cut(lines.Text(), "\t")
		valid, compare := semver.IsValid, semver.Compare
		if strings.HasPrefix(left, "go") && strings.HasPrefix(right, "go") {
			valid, compare = version.IsValid, version.Compare
		} else {
			left, right = "v"+strings.TrimPrefix(left, "v"), "v"+strings.TrimPrefix(right, "v")
		}
		if !valid(left) || !valid(right) {
			fmt.Fprintln(out, "!")
			continue
		}
		fmt.Fprintln(out, string("<=>"[compare(left, right)+1]))
	}
}
