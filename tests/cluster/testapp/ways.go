// More ways to fail, each as a real program fails: what is left behind is the
// kernel's or the runtime's own.
//
//	APP_PANIC                 panic with this text at the start
//	APP_SEGFAULT              die of a bad pointer, as a program in C does: of the signal, without a word
//	APP_ADDRESS_SPACE_MIB     allow the program this much address space and allocate more than that
//	APP_REQUIRE               names of variables, separated by blanks, without which the program ends at the start
//	APP_WRITE_FILE            write this file at the start, APP_WRITE_MIB (1) of it; exit with APP_EXIT_CODE when that fails
//	APP_CHILD_ALLOCATE_MIB    a child process allocates this much; the program goes on, whatever becomes of it
//	APP_GRPC_STATUS           answer gRPC health checks with this status (1 serving, 2 not), on the same port
//	APP_DEPENDENCY_CA         file with the certificates that the dependency's must come from
//	APP_DEPENDENCY_TOKEN      file with a token that is sent to the dependency
//
// As commands, for probes and hooks: `exit CODE [TEXT]`, `wait SECONDS`, `allocate MIB`.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// command carries out what the arguments ask for, if they do.
func command(arguments []string) {
	if len(arguments) < 2 {
		return
	}
	value, err := strconv.Atoi(arguments[1])
	if err != nil {
		exit(2, fmt.Sprintf("%q is not a whole number", arguments[1]))
	}
	switch arguments[0] {
	case "exit":
		fmt.Println(strings.Join(arguments[2:], " "))
		os.Exit(value)
	case "wait":
		time.Sleep(time.Duration(value) * time.Second)
		os.Exit(0)
	case "allocate":
		allocate(value)
		os.Exit(0)
	default:
		exit(2, fmt.Sprintf("unknown command %q", arguments[0]))
	}
}

// failAtStart ends the program in the way that the variables ask for, if they do.
func failAtStart(s settings) {
	if text := os.Getenv("APP_PANIC"); text != "" {
		panic(text)
	}
	if os.Getenv("APP_SEGFAULT") != "" {
		segfault()
	}
	for _, name := range strings.Fields(os.Getenv("APP_REQUIRE")) {
		if os.Getenv(name) == "" {
			// In the words of a library that many programs read their settings with.
			exit(s.exitCode, fmt.Sprintf("required key %s missing value", name))
		}
	}
	if mib := number("APP_ADDRESS_SPACE_MIB", 0); mib > 0 {
		exceedAddressSpace(mib)
	}
	if path := os.Getenv("APP_WRITE_FILE"); path != "" {
		if err := write(path, number("APP_WRITE_MIB", 1)); err != nil {
			exit(s.exitCode, err.Error())
		}
	}
	if mib := number("APP_CHILD_ALLOCATE_MIB", 0); mib > 0 {
		go allocateInChild(mib)
	}
}

// segfault gives the signal back its default action, which Go's runtime has replaced, and runs into it.
func segfault() {
	var action struct{ handler, flags, restorer, mask uintptr }
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGSEGV), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	var nowhere *int
	*nowhere = 1
}

func exceedAddressSpace(mib int) {
	limit := uint64(mib) << 20
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		exit(2, "setrlimit: "+err.Error())
	}
	hold = append(hold, make([]byte, limit))
}

func write(path string, mib int) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	block := make([]byte, 1<<20)
	for range mib {
		if _, err := file.Write(block); err != nil {
			return err
		}
	}
	return nil
}

func allocateInChild(mib int) {
	child := exec.Command(os.Args[0], "allocate", strconv.Itoa(mib))
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	fmt.Printf("testapp: the child process ended: %v\n", child.Run())
}

// dependencyClient is the client for the dependency.
func dependencyClient(limit time.Duration) http.Client {
	client := http.Client{Timeout: limit}
	if path := os.Getenv("APP_DEPENDENCY_CA"); path != "" {
		certificates, err := os.ReadFile(path)
		if err != nil {
			exit(2, err.Error())
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(certificates)
		client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	}
	return client
}

// dependencyRequest asks for the dependency, with the token if there is one.
func dependencyRequest(url string) *http.Request {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		exit(2, err.Error())
	}
	if path := os.Getenv("APP_DEPENDENCY_TOKEN"); path != "" {
		token, err := os.ReadFile(path)
		if err != nil {
			exit(2, err.Error())
		}
		request.Header.Set("Authorization", "Bearer "+string(token))
	}
	return request
}

// refused says in which words the dependency refuses, if it does.
func refused(response *http.Response) (string, bool) {
	if response.StatusCode != http.StatusUnauthorized && response.StatusCode != http.StatusForbidden {
		return "", false
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 1024))
	if err != nil {
		return err.Error(), true
	}
	return string(body), true
}

// withGrpcHealth answers gRPC health checks with APP_GRPC_STATUS and leaves all else to the handler.
func withGrpcHealth(handler http.Handler) http.Handler {
	status := number("APP_GRPC_STATUS", 0)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status == 0 || r.URL.Path != "/grpc.health.v1.Health/Check" {
			handler.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		// A message that is not compressed, of two bytes: field 1 is the status.
		message := []byte{0, 0, 0, 0, 2, 8, byte(status)}
		if _, err := w.Write(message); err != nil {
			fmt.Println("testapp: " + err.Error())
		}
		w.Header().Set("Grpc-Status", "0")
	})
}

// webServer is the server; gRPC needs HTTP/2 without TLS.
func webServer(port int, handler http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{Addr: ":" + strconv.Itoa(port), Handler: withGrpcHealth(handler), Protocols: protocols}
}
