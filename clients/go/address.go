package coagent

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

const (
	nameBytesMax    = 128
	sessionBytesMax = 128
)

// checkAddress tells what is wrong with `name` or `name:session`.
func checkAddress(address string) error {
	name, session, hasSession := strings.Cut(address, ":")
	if !isName(name) {
		return badAddress(address,
			"a name is 1 to 128 of A–Z a–z 0–9 _ - in segments joined by dots")
	}
	if hasSession && !isSession(session) {
		return badAddress(address, "a session is 1 to 128 bytes without spaces and controls")
	}
	return nil
}

func badAddress(address, why string) error {
	return failure(InvalidArgument, "bad_address", "%.200q: %s", address, why)
}

func isName(name string) bool {
	last := byte('.')
	for i := 0; i < len(name); i++ {
		b := name[i]
		isWord := b|0x20 >= 'a' && b|0x20 <= 'z' || b >= '0' && b <= '9' || b == '_' || b == '-'
		if !isWord && (b != '.' || last == '.') {
			return false
		}
		last = b
	}
	return last != '.' && len(name) <= nameBytesMax
}

func isSession(session string) bool {
	return session != "" && len(session) <= sessionBytesMax && utf8.ValidString(session) &&
		!strings.ContainsRune(session, ' ') && !wire.HasControl(session)
}

// DefaultURL is where the sidecar listens unless said: COAGENT_URL, else its socket in the runtime
// or the temporary folder.
func DefaultURL() string {
	if found := os.Getenv("COAGENT_URL"); found != "" {
		return found
	}
	if runtime := os.Getenv("XDG_RUNTIME_DIR"); runtime != "" {
		return "unix:" + runtime + "/coagent/coagentd.sock"
	}
	folder := os.Getenv("TMPDIR")
	if folder == "" {
		folder = "/tmp"
	}
	own := "coagent-" + strconv.Itoa(os.Getuid())
	return "unix:" + filepath.Join(folder, own, "coagentd.sock")
}

// defaultToken is COAGENT_TOKEN, else what the file named by COAGENT_TOKEN_FILE holds.
func defaultToken() (string, error) {
	if token := os.Getenv("COAGENT_TOKEN"); token != "" {
		return token, nil
	}
	path := os.Getenv("COAGENT_TOKEN_FILE")
	if path == "" {
		return "", nil
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		failed := failure(Unauthenticated, "bad_token", "COAGENT_TOKEN_FILE: %v", err)
		failed.cause = err
		return "", failed
	}
	return strings.TrimSpace(string(raw)), nil
}

// parseURL is the network and the address to dial.
func parseURL(text string) (network, address string, err error) {
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		path = strings.TrimPrefix(path, "//")
		if path != "" {
			return "unix", path, nil
		}
	} else if strings.HasPrefix(text, "tcp://") {
		parsed, err := url.Parse(text)
		if err == nil && parsed.Hostname() != "" && parsed.Port() != "" &&
			(parsed.Path == "" || parsed.Path == "/") {
			return "tcp", net.JoinHostPort(parsed.Hostname(), parsed.Port()), nil
		}
	}
	return "", "", failure(InvalidArgument, "bad_address",
		"%q is neither unix:/path nor tcp://host:port", text)
}
