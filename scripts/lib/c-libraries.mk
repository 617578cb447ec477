# What each make reads first that builds a C library for cargo: .cargo/config.toml names this file
# in MAKEFILES. OpenSSL and librdkafka come with makefiles of their own, which know nothing of
# cargo's profile and optimize in every build: a third of the time that OpenSSL takes, three
# quarters of librdkafka's.

# Set by cargo for build scripts only.
ifdef OPT_LEVEL

# The last option counts. A release is built with -O2 either way.
%.o: CFLAGS += -O$(OPT_LEVEL)
ifeq ($(DEBUG),false)
%.o: CFLAGS += -g0
endif

# Of librdkafka the half in C; nothing links the one in C++.
override LIBSUBDIRS := src

endif
