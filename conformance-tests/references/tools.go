//go:build tools

// Pins tusd, with everything it is built from: go.sum has the sums.
package references

import _ "github.com/tus/tusd/v2/cmd/tusd"
