echo begun
read -r _ < /tmp/durun-golden/fifo || true
echo 'answer={"is": 42}' >> "$DURUN_OUTPUT"
echo ended
