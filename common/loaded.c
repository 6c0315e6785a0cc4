#include "loaded.h"

#include "mem.h"

#include <elf.h>
#include <inttypes.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SHOWN_BYTES = 8 }; // of a build id of 20: chance does not make two alike

// By their names, without "lib", up to ".so" or "-". What FFmpeg's build in a distribution brings along, and ZeroMQ's. Sanitizers come with the
// program.
static const char *const idle[] = {
    // The system.
    "blkid", "bsd", "c", "cap", "dbus", "dl", "ffi", "keyutils", "ld", "md", "mount", "pthread", "resolv", "rt", "seccomp", "selinux", "systemd",
    "udev", "uuid",
    // Networks and keys.
    "bluray", "cjson", "com_err", "crypto", "curl", "gcrypt", "gnutls", "gpg", "gssapi_krb5", "hogweed", "idn2", "k5crypto", "krb5", "krb5support",
    "mbedcrypto", "mbedtls", "mbedx509", "nettle", "norm", "p11", "pgm", "protobuf", "rabbitmq", "rist", "rtmp", "sodium", "srt", "ssh", "ssl",
    "tasn1", "udfread", "unistring", "uv", "zmq",
    // Desktops and sound cards.
    "X11", "Xau", "Xcursor", "Xdmcp", "Xext", "Xfixes", "Xi", "Xrandr", "Xss", "Xv", "asound", "asyncns", "jack", "pulse", "pulsecommon", "sndfile",
    "sndio", "wayland", "xcb", "xkbcommon",
    // Ours.
    "asan", "lsan", "tsan", "ubsan"};

static bool is_idle(const char *name)
{
    size_t length;

    name += strncmp(name, "lib", 3) == 0 ? 3 : 0;
    length = strcspn(name, ".-");
    for (size_t i = 0; i < sizeof(idle) / sizeof(idle[0]); i++)
        if (strlen(idle[i]) == length && strncmp(name, idle[i], length) == 0)
            return true;
    return strncmp(name, "linux-", 6) == 0; // the kernel's, which is no file
}

// In the notes as they lie in memory; NULL: there is none.
static const unsigned char *build_id(const struct dl_phdr_info *object, size_t *size)
{
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        const char *at = (const char *)(object->dlpi_addr + part->p_vaddr), *end = at + part->p_memsz;
        ElfW(Nhdr) note;

        while (part->p_type == PT_NOTE && end - at >= (ptrdiff_t)sizeof(note)) {
            size_t name_size, body_size;
            const char *name = at + sizeof(note);

            memcpy(&note, at, sizeof(note));
            name_size = (note.n_namesz + (size_t)3) & ~(size_t)3;
            body_size = (note.n_descsz + (size_t)3) & ~(size_t)3;
            if (part->p_align == 8) // of properties, which have another padding, and no build id among them
                break;
            if (name_size + body_size > (size_t)(end - name))
                break;
            if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(name, "GNU", 4) == 0 && note.n_descsz >= SHOWN_BYTES) {
                *size = note.n_descsz;
                return (const unsigned char *)name + name_size;
            }
            at = name + name_size + body_size;
        }
    }
    return NULL;
}

static int add_object(struct dl_phdr_info *object, size_t size, void *data)
{
    const char *slash = strrchr(object->dlpi_name, '/'), *name = slash ? slash + 1 : object->dlpi_name;
    FILE *text = data;
    const unsigned char *id;
    size_t id_size;
    struct stat about;

    (void)size;
    if (!*name || is_idle(name)) // the program has no name
        return 0;
    fprintf(text, " %s=", name);
    id = build_id(object, &id_size);
    for (size_t i = 0; id && i < SHOWN_BYTES; i++)
        fprintf(text, "%02x", id[i]);
    if (!id && stat(object->dlpi_name, &about) == 0)
        fprintf(text, "%jd.%jd", (intmax_t)about.st_size, (intmax_t)about.st_mtim.tv_sec);
    return 0;
}

char *loaded_objects(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);

    if (!stream)
        abort(); // there is no memory, see mem.h
    dl_iterate_phdr(add_object, stream);
    if (fclose(stream) != 0)
        abort();
    return text;
}
