-- Takes back what 0011 added: what had begun before a stop may be committed after it again.
DROP TRIGGER refuse_while_halted ON deliveries;
DROP TRIGGER refuse_while_halted ON audit;
DROP FUNCTION refuse_while_halted();
