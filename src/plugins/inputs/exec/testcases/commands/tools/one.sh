#!/bin/sh
echo "c v=1 $1"
